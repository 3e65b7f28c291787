"""How Reelwarden ships: the images, their dependency sets and how they are built."""
