//! Any AWS API from data: service models, wire codecs, signing, endpoints, credentials.
