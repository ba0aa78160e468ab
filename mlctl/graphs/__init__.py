"""ONNX graphs at work: checked, asked, and told apart by what each column adds."""
