// The documents themselves: each appends one, as DocumentSink::Writer says.
#pragma once

#include <string>

#include "core/exporters/documents.h"
#include "core/inventory/inventory.h"

namespace tracer {

void put_profile(const Inventory& inventory, const DocumentOptions& options, std::string& out);
void put_snapshot(const Inventory& inventory, const DocumentOptions& options, std::string& out);
void put_profile_summary(const Inventory& inventory, const DocumentOptions& options, std::string& out);
void put_snapshot_summary(const Inventory& inventory, const DocumentOptions& options, std::string& out);
void put_cyclonedx(const Inventory& inventory, const DocumentOptions& options, std::string& out);

}  // namespace tracer
