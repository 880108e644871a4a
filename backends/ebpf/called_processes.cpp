#include "backends/ebpf/called_processes.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "backends/bpf/hash_map.h"
#include "backends/ebpf/mapped_files.h"

namespace tracer {
namespace {

constexpr std::size_t decided_max = 32'768;

// What can be read without anybody's help; for processes that /proc numbers as the kernel does.
ProcessFacts read_facts(const std::string& proc_root, std::uint32_t pid) {
  ProcessFacts facts;
  facts.tgid = pid;
  facts.local_pid = pid;
  const std::string directory = proc_root + "/" + std::to_string(pid);
  std::ifstream file(directory + "/comm");
  std::getline(file, facts.comm);
  std::string target(4096, '\0');
  const ssize_t length = ::readlink((directory + "/exe").c_str(), target.data(), target.size());
  if (length > 0) facts.executable = target.substr(0, static_cast<std::size_t>(length));
  return facts;
}

}  // namespace

bool CalledProcesses::decide(const Caller& caller) {
  if (everybody() || caller.verdict == verdicts_.wanted) return true;
  const std::uint32_t local = caller.local_tgid != 0 ? caller.local_tgid : caller.tgid;
  if (local == selection_->newcomer()) return true;
  std::optional<ProcessFacts> facts;
  if (ownership_ != nullptr) facts = ownership_->process(caller.tgid);
  if (!facts && ownership_ == nullptr) facts = read_facts(proc_root_, local);
  if (!facts || facts->comm.empty()) {  // gone already
    if (!facts) facts.emplace();
    facts->tgid = caller.tgid;
    facts->local_pid = local;
    facts->comm = caller.comm;
    facts->uid = caller.uid;
  }
  if (!caller.executable.empty()) {  // what is remembered may be the program before
    facts->comm = caller.comm;
    facts->executable = caller.executable;
  }
  return selection_->selects(*facts);
}

bool CalledProcesses::wants(const Caller& caller) {
  if (const auto known = decided_.find(caller.tgid); known != decided_.end()) return known->second.wanted;
  if (caller.local_tgid != 0 && ownership_ != nullptr) ownership_->learn(caller.tgid, caller.local_tgid);
  if (decided_.size() >= decided_max) decided_.clear();  // decided again when they call again
  const bool wanted = decide(caller);
  decided_[caller.tgid] = {wanted, caller.local_tgid};
  tell_kernel(caller.tgid, wanted);
  return wanted;
}

void CalledProcesses::tell_kernel(std::uint32_t tgid, bool wanted) const {
  if (everybody() || verdicts_.map_fd < 0) return;
  const std::uint32_t verdict = wanted ? verdicts_.wanted : verdicts_.left_out;
  hash_map_set(verdicts_.map_fd, &tgid, &verdict, true);
}

std::vector<std::uint32_t> CalledProcesses::find_selected() {
  std::vector<ProcessFacts> all;
  if (ownership_ != nullptr)
    all = ownership_->all_processes();
  else
    for (const std::uint32_t pid : list_processes(proc_root_)) all.push_back(read_facts(proc_root_, pid));
  std::vector<std::uint32_t> selected;
  for (const ProcessFacts& facts : all) {
    const std::uint32_t local = facts.local_pid.value_or(facts.tgid);
    if (local != selection_->newcomer() && !selection_->selects(facts)) continue;
    selected.push_back(local);
    const auto known = decided_.find(facts.tgid);
    if (known != decided_.end() && known->second.wanted) continue;
    if (decided_.size() >= decided_max) decided_.clear();
    decided_[facts.tgid] = {true, local != facts.tgid ? local : 0};
    tell_kernel(facts.tgid, true);
  }
  return selected;
}

std::uint32_t CalledProcesses::number_in_proc(std::uint32_t tgid) const {
  const auto known = decided_.find(tgid);
  return known != decided_.end() && known->second.local_tgid != 0 ? known->second.local_tgid : tgid;
}

bool CalledProcesses::is_gone(std::uint32_t tgid) const {
  return ::access((proc_root_ + "/" + std::to_string(number_in_proc(tgid))).c_str(), F_OK) != 0;
}

const std::string* CalledProcesses::library(std::uint32_t tgid, std::string_view family) const {
  const auto known = decided_.find(tgid);
  if (known == decided_.end()) return nullptr;
  for (const auto& [of, path] : known->second.libraries)
    if (of == family) return &path;
  return nullptr;
}

void CalledProcesses::remember_library(std::uint32_t tgid, std::string_view family, std::string path) {
  if (const auto known = decided_.find(tgid); known != decided_.end())
    known->second.libraries.emplace_back(family, std::move(path));
}

}  // namespace tracer
