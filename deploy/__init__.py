"""How others call Reelwarden; nothing here is needed to serve."""
