"""From solver answers to verdicts: backends, the race, the replay."""
