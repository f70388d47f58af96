"""Proofs in other tools' formats: VeriPB, DRAT, APTP."""
