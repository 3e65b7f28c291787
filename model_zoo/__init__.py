"""What models mean: manifests, labels, pre- and post-processing, the report. Needs numpy and pydantic only."""
