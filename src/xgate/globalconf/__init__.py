"""What the ecosystem says: anchors, signed directories, shared and private parameters."""
