"""Optional candidates, used only where they are named: HIPS autograd and torch.compile."""
