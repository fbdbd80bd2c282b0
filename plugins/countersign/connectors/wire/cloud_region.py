"""In which country a cloud's region lies, by its public name. An unlisted region lies nowhere.

A name's beginning proves nothing: AWS eu-west-2 is London and eu-central-2 Zürich, outside the EU.
"""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

_AWS: Final = {
    "US": "us-east-1 us-east-2 us-west-1 us-west-2 us-gov-east-1 us-gov-west-1",
    "CA": "ca-central-1 ca-west-1",
    "MX": "mx-central-1",
    "BR": "sa-east-1",
    "DE": "eu-central-1",
    "CH": "eu-central-2",
    "IE": "eu-west-1",
    "GB": "eu-west-2",
    "FR": "eu-west-3",
    "SE": "eu-north-1",
    "IT": "eu-south-1",
    "ES": "eu-south-2",
    "IL": "il-central-1",
    "BH": "me-south-1",
    "AE": "me-central-1",
    "ZA": "af-south-1",
    "IN": "ap-south-1 ap-south-2",
    "JP": "ap-northeast-1 ap-northeast-3",
    "KR": "ap-northeast-2",
    "SG": "ap-southeast-1",
    "AU": "ap-southeast-2 ap-southeast-4",
    "ID": "ap-southeast-3",
    "MY": "ap-southeast-5",
    "TH": "ap-southeast-7",
    "HK": "ap-east-1",
    "TW": "ap-east-2",
}
_AZURE: Final = {
    "US": "eastus eastus2 centralus northcentralus southcentralus westcentralus westus westus2"
    " westus3",
    "CA": "canadacentral canadaeast",
    "BR": "brazilsouth brazilsoutheast",
    "NL": "westeurope",
    "IE": "northeurope",
    "SE": "swedencentral swedensouth",
    "DE": "germanywestcentral germanynorth",
    "FR": "francecentral francesouth",
    "IT": "italynorth",
    "ES": "spaincentral",
    "PL": "polandcentral",
    "CH": "switzerlandnorth switzerlandwest",
    "NO": "norwayeast norwaywest",
    "GB": "uksouth ukwest",
    "JP": "japaneast japanwest",
    "KR": "koreacentral koreasouth",
    "AU": "australiaeast australiasoutheast australiacentral",
    "IN": "centralindia southindia westindia",
    "SG": "southeastasia",
    "HK": "eastasia",
    "AE": "uaenorth uaecentral",
    "ZA": "southafricanorth southafricawest",
}
_VERTEX: Final = {
    "US": "us us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 us-west2 us-west3 us-west4",
    "EU": "eu europe-west1 europe-west3 europe-west4 europe-west8 europe-west9 europe-west12"
    " europe-central2 europe-north1 europe-southwest1",
    "CA": "northamerica-northeast1 northamerica-northeast2",
    "BR": "southamerica-east1",
    "JP": "asia-northeast1 asia-northeast2",
    "KR": "asia-northeast3",
    "SG": "asia-southeast1",
    "IN": "asia-south1 asia-south2",
    "AU": "australia-southeast1 australia-southeast2",
}
"""What Vertex promises: a country, in the EU only the Union. London and Zürich: by contract."""


def of_aws(region: str) -> str | None:
    """The country of an AWS region."""
    return _countries("aws").get(region)


def of_azure(region: str) -> str | None:
    """The country of an Azure region, by its short or its display name."""
    return _countries("azure").get(azure_name(region))


def of_vertex(location: str) -> str | None:
    """The country, or the EU, in which Vertex AI keeps the processing of a location."""
    return _countries("vertex").get(location)


def azure_name(region: str) -> str:
    """`swedencentral` of `Sweden Central`."""
    return region.replace(" ", "").lower()


@lru_cache(maxsize=3)
def _countries(cloud: str) -> Mapping[str, str]:
    table = {"aws": _AWS, "azure": _AZURE, "vertex": _VERTEX}[cloud]
    return {region: country for country, regions in table.items() for region in regions.split()}
