"""A policy type that surehand has never heard of, as third parties add them to lerobot."""

from .configuration_toy import ToyConfig as ToyConfig
