"""Parts of both reports: pages, panels, table cells, style."""
