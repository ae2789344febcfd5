"""Addresses of the balance and the statement."""

from django.urls import path

from billing import views, views_history

app_name = "billing"

urlpatterns = [
    path("", views.home, name="home"),
    path("statement/", views.statement, name="statement"),
    path("statement/refresh/", views.statement_refresh, name="statement_refresh"),
    path("statement.csv", views.statement_csv, name="statement_csv"),
    path("history/", views_history.history, name="history"),
]
