"""URLs of balance, statement and history."""

from django.urls import path

from billing.views import balance, downloads, history

app_name = "billing"

urlpatterns = [
    path("statement/", balance.statement, name="statement"),
    path("statement/refresh/", balance.statement_refresh, name="statement_refresh"),
    path("statement.csv", downloads.statement_csv, name="statement_csv"),
    path("statement.pdf", downloads.statement_pdf, name="statement_pdf"),
    path("history.csv", downloads.history_csv, name="history_csv"),
    path("history/", history.history, name="history"),
]
