"""What both reports are made of: pages, panels, table cells, style."""
