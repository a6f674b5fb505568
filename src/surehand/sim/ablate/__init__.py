"""The within-run ablation: many small training runs, each judged by many rules and by its robot."""
