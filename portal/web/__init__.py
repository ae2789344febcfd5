"""What every view needs of a request, and the error pages."""
