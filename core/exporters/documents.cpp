#include "core/exporters/documents.h"

#include "core/exporters/writers.h"

namespace tracer {

std::unique_ptr<DocumentSink> make_profile_sink(DocumentOptions options) {
  return std::make_unique<DocumentSink>(std::move(options), put_profile);
}
std::unique_ptr<DocumentSink> make_snapshot_sink(DocumentOptions options) {
  return std::make_unique<DocumentSink>(std::move(options), put_snapshot);
}
std::unique_ptr<DocumentSink> make_summary_sink(SummaryOf what, DocumentOptions options) {
  return std::make_unique<DocumentSink>(std::move(options),
                                        what == SummaryOf::profile ? put_profile_summary : put_snapshot_summary);
}
std::unique_ptr<DocumentSink> make_cyclonedx_sink(DocumentOptions options) {
  return std::make_unique<DocumentSink>(std::move(options), put_cyclonedx);
}

}  // namespace tracer
