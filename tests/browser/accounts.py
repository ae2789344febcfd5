"""Customers the portal under test knows, and the data of a new customer."""

from tests.browser.actor import PASSWORD

HUGE = "Wilhelmina-Bartholomea Maximiliana Johanna"
# Customers of the portal; a row says what a customer has at the carrier.
CUSTOMERS = {
    "aurora": f"""email,account_number,first_name,last_name
alice@example.com,70001,Alice,Archer
bob@example.com,70002,Bob,Baker
nina@example.com,70003,,
wilhelmina.featherstonehaugh-cholmondeley-majoribanks@telephones.example,70004,{HUGE},Featherstonehaugh
nora@example.com,70006,Nora,North
rhea@example.com,70007,Rhea,Rock
leaver@example.com,70005,Lea,Lang
mover@example.com,70008,Mo,Marsh
peter@example.com,70020,Peter,Parr
quinn@example.com,70021,Quinn,Quill
hana@example.com,70010,Hana,Hill
ida@example.com,70030,Ida,Ilves
""",
    "borealis": "email,account_number\ncharlie@example.com,80001\n",
    "fornax": "email,account_number,first_name\nfay@example.com,50001,Fay\n",
    "eridanus": "email,account_number,first_name\nerin@example.com,60001,Erin\n",
    "cygnus": "email,account_number\ncora@example.com,61001\n",
    "draco": "email,account_number\ndan@example.com,62001\n",
}
ALICE, BOB, NINA, CHARLIE = (f"{name}@example.com" for name in ("alice", "bob", "nina", "charlie"))
NORA, RHEA, LEAVER, MOVER = (f"{name}@example.com" for name in ("nora", "rhea", "leaver", "mover"))
# Peter's account is prepaid, Quinn's postpaid down to -55, unless a row says otherwise.
PETER, QUINN = "peter@example.com", "quinn@example.com"
ERIN, FAY = "erin@example.com", "fay@example.com"
CORA, DAN = "cora@example.com", "dan@example.com"
HANA = "hana@example.com"
IDA = "ida@example.com"  # Staff change and disable her; she never signs in.
LONG = "wilhelmina.featherstonehaugh-cholmondeley-majoribanks@telephones.example"
DORA = {
    "first_name": "Dora",
    "last_name": "Dunn",
    "email": "NEW",
    "phone": "+61 2 5550 0199",
    "password": PASSWORD,
    "accept_terms": "on",
}
