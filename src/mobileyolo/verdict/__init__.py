"""Two arms' results -> differences, intervals, a verdict. Pure."""
