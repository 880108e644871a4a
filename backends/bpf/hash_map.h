// Single entries of a BPF map. Failures leave the map as it was: the caller's entry is then missing, which the programs
// treat as "not known".
#pragma once

namespace tracer {

// `replace` false: an entry that is there stays.
void hash_map_set(int map_fd, const void* key, const void* value, bool replace);
// False: no such entry; `value` is then as it was.
bool hash_map_get(int map_fd, const void* key, void* value);
// The key after `key`, in no order; null asks for the first. False: there is none.
bool hash_map_next_key(int map_fd, const void* key, void* next);
void hash_map_delete(int map_fd, const void* key);

}  // namespace tracer
