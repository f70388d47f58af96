"""What every layer may stand on: processes within limits, deadlines, interrupts.  Imports nothing of relucid, and little else."""
