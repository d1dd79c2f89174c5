"""The comparison's report: page, summary, figures, tables for `dvc plots`."""
