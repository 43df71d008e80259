#!/usr/bin/env bash
# Calls the setup function: index, exemption and TTL. Index and TTL may go on being made for minutes.
source "$(dirname "$0")/common.sh"

change gcloud run services add-iam-policy-binding setup --region="$REGION" \
  --member="serviceAccount:$(account build)" --role=roles/run.invoker
change gcloud functions call setup --gen2 --region="$REGION"
