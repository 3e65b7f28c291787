"""Reelwarden on Amazon SageMaker."""
