"""Programs that drive an image with Amazon's own SDK in local mode, each with the Python of a version of the SDK."""
