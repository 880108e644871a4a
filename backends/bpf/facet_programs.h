// Which programs buy which facet, and what it means when one of them is not attached. Pure.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "backends/bpf/bpf_object.h"
#include "core/backend.h"
#include "core/base/result.h"
#include "core/capability.h"

namespace tracer {

// Programs that see processes begin and end. The names are the same in every object with kernel types.
inline constexpr std::string_view process_programs[] = {"tracer_exec", "tracer_exit", "tracer_fork"};
// Without these no process is told of; without the third only less is known of it.
inline constexpr std::span<const std::string_view> needed_process_programs = std::span(process_programs).first(2);
// Programs that see files opened and mapped.
inline constexpr std::string_view file_programs[] = {"tracer_file_enter", "tracer_file_exit"};
inline constexpr std::string_view connection_programs[] = {"tracer_set_state", "tracer_destroy"};

// Leaves out what no facet of these needs, of an object whose programs have these names. Those at processes are always
// there: they say whose the other events are.
void choose_programs(BpfImage& image, std::span<const Facet> facets);

// What is watched in TLS libraries needs a table in their carrier (tls_calls.bpf.h), which is large.
void size_plaintext_map(BpfImage& image, bool carried);

struct FacetNeed {
  Facet facet{};
  std::span<const std::string_view> programs;  // all of them
};

// True if bytes or sockets are asked for: the programs at every system call or transfer of one are needed.
[[nodiscard]] bool wants_sockets(std::span<const Facet> facets);

// Of the facets asked for, those that an unattached program costs, or that no row of `needs` brings. Fails where
// nothing is left. `asked` empty: all of `needs`.
[[nodiscard]] Result<std::vector<RefusedFacet>> settle_facets(std::span<const FacetNeed> needs,
                                                              std::span<const Facet> asked,
                                                              std::span<const AttachOutcome> outcomes);

// Opens for all of `facets`. Where that fails because a program at the sockets is missing it opens again for those that
// need none, if there are any, because they are told of by programs of their own; the others are then refused.
using OpenForFacets = std::function<Result<OpenedBackend>(const std::vector<Facet>& facets)>;
[[nodiscard]] Result<OpenedBackend> open_what_attaches(const std::vector<Facet>& facets, const OpenForFacets& open);

}  // namespace tracer
