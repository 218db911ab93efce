"""The lines by which a service is added to files that are there: in each file, what is found and what replaces it."""

from __future__ import annotations

LINES = (
    (
        "contracts/topics.py",
        """
ALL = (IDENTITY, CATALOG, APPLICATIONS, PAYMENTS, NOTIFICATIONS)
""",
        """DEFECTS = Topic("defects", version=1, partitions=6)

ALL = (IDENTITY, CATALOG, APPLICATIONS, PAYMENTS, NOTIFICATIONS, DEFECTS)
""",
    ),
    (
        "contracts/catalogue.py",
        "from contracts import applications, catalog, identity",
        "from contracts import applications, catalog, defects, identity",
    ),
    (
        "contracts/catalogue.py",
        "payments, notifications)",
        "payments, notifications, defects)",
    ),
    (
        "contracts/datarefs.py",
        """

def notice_document(""",
        '''

def defect(tenant: str, defect_id: str) -> str:
    """A defect as it was reported: `defect_reported`."""
    return f"/defects/v1/{tenant}/defects/{defect_id}"


def notice_document(''',
    ),
    (
        "contracts/examples.py",
        "from contracts.envelope import",
        """from contracts.defects import DefectReported
from contracts.envelope import""",
    ),
    (
        "contracts/examples.py",
        """
)

EXAMPLES:""",
        """
    DefectReported(
        defect_id=example_id("defect"),
        kind="street_light",
        reported_on=date(2026, 3, 2),
        dataref=datarefs.defect(TENANT, example_id("defect")),
    ),
)

EXAMPLES:""",
    ),
    (
        "contracts/examples.py",
        'field = {"identity": ',
        'field = {"defects": "defect_id", "identity": ',
    ),
    (
        "rathaus/registry.py",
        """    ServiceSpec(topics.NOTIFICATIONS, environment=_notifications),
""",
        """    ServiceSpec(topics.NOTIFICATIONS, environment=_notifications),
    ServiceSpec(topics.DEFECTS),
""",
    ),
)
