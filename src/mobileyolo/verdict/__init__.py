"""Results of two arms -> differences, intervals, a verdict. Pure: reads and writes no files."""
