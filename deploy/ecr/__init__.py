"""Push images to Amazon ECR, or any registry, and print how SageMaker is told to run them."""
