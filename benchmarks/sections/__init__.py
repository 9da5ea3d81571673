"""What is measured, a section a file: `measure` gives figures that know their table, goals and chart."""
