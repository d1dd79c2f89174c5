"""Vocabulary that every wing shares: errors, environment, files, records, names of backbones. No logic."""
