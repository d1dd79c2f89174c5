"""The validation's report: page, findings.csv, verdict.json."""
