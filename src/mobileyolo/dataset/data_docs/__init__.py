"""Great Expectations' Data Docs of a dataset, as pages that work offline."""
