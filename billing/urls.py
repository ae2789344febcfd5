"""Addresses of the balance and the statement."""

from django.urls import path

from billing import views, views_files, views_history

app_name = "billing"

urlpatterns = [
    path("", views.home, name="home"),
    path("statement/", views.statement, name="statement"),
    path("statement/refresh/", views.statement_refresh, name="statement_refresh"),
    path("statement.csv", views_files.statement_csv, name="statement_csv"),
    path("statement.pdf", views_files.statement_pdf, name="statement_pdf"),
    path("history/", views_history.history, name="history"),
]
