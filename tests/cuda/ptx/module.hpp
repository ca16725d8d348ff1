// A PTX module, decoded once: functions as arrays of instructions whose operands are slots of a register file.
#pragma once
#include "cuda/ptx/types.hpp"
#include <bitset>
#include <map>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace ptx {

/// What is wrong with a PTX text, or what a kernel did that it must not: one line.
struct error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

enum class space : std::uint8_t { generic, global, shared, local, constant, param };

struct operand {
  enum kind : std::uint8_t {
    none,
    reg32,
    reg64,
    predicate,
    constant,
    vector,
    sink,
    address,
    label,
    function
  } kind = none;
  bool negated = false;      // of a predicate: !p
  std::uint32_t slot = 0;    // register, predicate or constant; label: instruction; function: its number
  std::int32_t second = -1;  // the second predicate of a|b
  std::uint32_t count = 0;   // elements of a vector; they begin at `slot` of instruction::elements
  std::int64_t offset = 0;   // address: added to the base
  enum kind base = constant; // address: reg32, reg64 or constant
};

/// Modifiers that an instruction may carry, by the words PTX has for them.
inline constexpr std::array<std::string_view, 118> modifier_names{"rn",
                                                                  "rz",
                                                                  "rm",
                                                                  "rp",
                                                                  "rna",
                                                                  "rni",
                                                                  "rzi",
                                                                  "rmi",
                                                                  "rpi",
                                                                  "ftz",
                                                                  "sat",
                                                                  "satfinite",
                                                                  "approx",
                                                                  "full",
                                                                  "wide",
                                                                  "lo",
                                                                  "hi",
                                                                  "NaN",
                                                                  "relu",
                                                                  "eq",
                                                                  "ne",
                                                                  "lt",
                                                                  "le",
                                                                  "gt",
                                                                  "ge",
                                                                  "ls",
                                                                  "hs",
                                                                  "equ",
                                                                  "neu",
                                                                  "ltu",
                                                                  "leu",
                                                                  "gtu",
                                                                  "geu",
                                                                  "num",
                                                                  "nan",
                                                                  "and",
                                                                  "or",
                                                                  "xor",
                                                                  "add",
                                                                  "min",
                                                                  "max",
                                                                  "inc",
                                                                  "dec",
                                                                  "cas",
                                                                  "exch",
                                                                  "popc",
                                                                  "global",
                                                                  "shared",
                                                                  "shared::cta",
                                                                  "local",
                                                                  "const",
                                                                  "param",
                                                                  "weak",
                                                                  "volatile",
                                                                  "relaxed",
                                                                  "acquire",
                                                                  "release",
                                                                  "acq_rel",
                                                                  "sc",
                                                                  "cta",
                                                                  "cluster",
                                                                  "gpu",
                                                                  "gl",
                                                                  "sys",
                                                                  "ca",
                                                                  "cg",
                                                                  "cs",
                                                                  "lu",
                                                                  "cv",
                                                                  "wb",
                                                                  "wt",
                                                                  "nc",
                                                                  "L1::no_allocate",
                                                                  "L1::evict_last",
                                                                  "L1::evict_first",
                                                                  "L2::64B",
                                                                  "L2::128B",
                                                                  "L2::256B",
                                                                  "v2",
                                                                  "v4",
                                                                  "to",
                                                                  "sync",
                                                                  "aligned",
                                                                  "warp",
                                                                  "red",
                                                                  "uni",
                                                                  "idx",
                                                                  "up",
                                                                  "down",
                                                                  "bfly",
                                                                  "ballot",
                                                                  "any",
                                                                  "all",
                                                                  "l",
                                                                  "r",
                                                                  "clamp",
                                                                  "wrap",
                                                                  "async",
                                                                  "commit_group",
                                                                  "wait_group",
                                                                  "wait_all",
                                                                  "m8n8",
                                                                  "x1",
                                                                  "x2",
                                                                  "x4",
                                                                  "trans",
                                                                  "b16",
                                                                  "m16n8k16",
                                                                  "m16n8k8",
                                                                  "row",
                                                                  "col",
                                                                  "shiftamt",
                                                                  "finite",
                                                                  "infinite",
                                                                  "number",
                                                                  "notanumber",
                                                                  "normal",
                                                                  "subnormal"};

consteval std::size_t modifier(std::string_view name) {
  for (std::size_t i = 0; i < modifier_names.size(); ++i)
    if (modifier_names[i] == name) return i;
  throw "no such modifier";
}

class warp;
struct instruction;
using lane_mask = std::uint32_t;
inline constexpr lane_mask all_lanes = ~lane_mask{0};
/// Executes an instruction for the lanes of a mask.
using handler = void (*)(warp&, const instruction&, lane_mask);

/// How an instruction meets the lanes of its warp.
enum class flow : std::uint8_t {
  straight, // each lane by itself
  branch,
  indexed_branch,
  call,
  leave,      // leave: ret and exit
  barrier,    // all threads of the block
  collective, // the lanes that its member mask names
  together,   // .aligned: all 32 lanes
  trap
};

struct form;
struct instruction {
  const form* shape = nullptr;
  handler run = nullptr;
  flow way = flow::straight;
  std::array<type, 4> types{};
  std::bitset<modifier_names.size()> modifiers;
  std::int32_t guard = -1; // predicate
  bool guard_negated = false;
  std::vector<operand> operands;
  std::vector<operand> elements; // of vector operands
  space where = space::generic;
  rounding rounds = rounding::nearest;
  std::uint32_t results = 0;                      // call: how many operands come first that are results
  std::uint32_t line = 0;                         // of the PTX text
  std::uint32_t file = 0, source_line = 0;        // of the CUDA source, where the text has .loc
  std::uint32_t called_file = 0, called_line = 0; // where that is inlined in the kernel; 0: it is not
  std::string_view opcode;                        // first word
  std::string name;                               // as written

  bool has(std::size_t m) const { return modifiers[m]; }
};

struct variable {
  space where = space::global;
  std::uint64_t offset = 0, size = 0, align = 1; // global and constant: `offset` is the device address
  bool dynamic = false;                          // extern shared
  type of = type::b8;
};

struct function {
  std::string name;
  bool entry = false, defined = false;
  std::uint32_t begin = 0, end = 0; // instructions of module::code
  std::vector<std::pair<std::string, variable>> params, results;
  std::uint64_t param_bytes = 0, local_bytes = 0, shared_bytes = 0;
  std::uint64_t dynamic_offset = 0; // where dynamic shared memory begins
  std::uint32_t max_threads = 0;    // .maxntid; 0: none stated
  std::uint32_t shared_cell = 4;    // the narrowest access to shared memory, bytes, at most 4
};

enum class special : std::uint8_t {
  tid_x,
  tid_y,
  tid_z,
  ntid_x,
  ntid_y,
  ntid_z,
  ctaid_x,
  ctaid_y,
  ctaid_z,
  nctaid_x,
  nctaid_y,
  nctaid_z,
  laneid,
  warpid,
  nwarpid,
  lanemask_eq,
  lanemask_lt,
  lanemask_le,
  lanemask_gt,
  lanemask_ge,
  dynamic_smem_size,
  smid,
  nsmid
};

struct constant_value { // 32 times each, as lanes read it
  std::array<std::uint64_t, 32> wide;
  std::array<std::uint32_t, 32> narrow;
};

struct module {
  std::string text, target, version;
  std::vector<std::string> lines, files; // files: by number
  std::vector<instruction> code;
  std::vector<function> functions;
  std::map<std::string, std::size_t, std::less<>> by_name; // function
  std::map<std::string, variable, std::less<>> variables;  // of the module
  std::vector<constant_value> constants;
  std::vector<std::vector<std::uint32_t>> branch_tables;
  std::vector<std::pair<special, std::uint32_t>> specials; // and the 32-bit register that holds it
  std::uint32_t registers32 = 0, registers64 = 0, predicates = 0;
  std::uint64_t call_params = 0, local_bytes = 0; // of all functions together

  const function& entry(std::string_view name) const; // by its mangled name
};

/// What an opcode may look like. Words of the pattern, separated by spaces, are matched in order: `a|b` one of them,
/// `?a|b` one of them or none, `:t|u` a type. Operands: d destination, s source, each with the type that it has (0 to
/// 3: of the types matched; W: twice as wide as type 0; x0: as wide or wider; w 32 bits, l 64 bits, p predicate, |
/// predicate beside), a address, m member mask; a trailing ? where it may be absent, * for any.
struct form {
  std::string_view pattern, operands;
  handler (*pick)(const instruction&); // null result: not for these types and modifiers
  flow way = flow::straight;
};

std::span<const form> arithmetic_forms();
std::span<const form> conversion_forms();
std::span<const form> memory_forms();
std::span<const form> control_forms(); // branches, calls, barriers, warp operations
std::span<const form> matrix_forms();

inline constexpr std::uint64_t call_params_begin = 4096; // parameters of calls lie beyond those of a kernel

class device_memory;

/// Decodes a PTX text. Variables of the module get memory of `memory`. Throws ptx::error naming the line: an opcode,
/// a modifier, a type or an operand that is not in the table of forms.
std::unique_ptr<module> decode(std::string text, device_memory& memory);

/// Those from which a way leads back to themselves.
std::vector<std::uint32_t> instructions_in_loops(const module& code, const function& of);

} // namespace ptx
