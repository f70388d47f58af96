"""The race: several backends decide one claim about words, and the first answer that can be trusted wins."""
