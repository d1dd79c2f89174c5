"""From results to what people read: HTML pages, a Markdown summary, figures, and tables for `dvc plots`."""
