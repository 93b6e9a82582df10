"""How the demo checkpoint in ``assets/demo`` is drawn, trained and judged."""
