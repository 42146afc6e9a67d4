// The operations of the device: each is the CPU's, on the same memory.
#include "stand_in.h"

#include <ATen/EmptyTensor.h>
#include <ATen/InferSize.h>
#include <ATen/TensorUtils.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <set>
#include <torch/library.h>

namespace stand_in {
namespace {

using at::IntArrayRef;
using at::ScalarType;
using at::Tensor;
using c10::Device;
using c10::DispatchKey;
using c10::DispatchKeySet;
using c10::IValue;
using torch::jit::Stack;
using Options = std::optional<at::MemoryFormat>;

// The same memory as a tensor of the CPU.
Tensor on_cpu(const Tensor& x) {
  auto options = x.options().device(c10::kCPU).requires_grad(false);
  if (x.numel() == 0) return at::empty_strided(x.sizes(), x.strides(), options);
  return at::from_blob(x.data_ptr(), x.sizes(), x.strides(), [keep = x](void*) {}, options);
}

// Memory of the device that holds what a kernel of the CPU made. It is copied, so that the device's memory is counted.
Tensor on_device(const Tensor& x) {
  if (!x.defined()) return x;
  Tensor made = at::detail::empty_strided_generic(
      x.sizes(), x.strides(), &memory(), DispatchKeySet(DispatchKey::CUDA), x.scalar_type());
  if (x.numel() > 0) on_cpu(made).copy_(x);
  return made;
}

bool is_tensors(const IValue& value) {
  return value.isTensorList() || (value.isList() && !value.toListRef().empty() && value.toListRef()[0].isTensor());
}

// Calls `f` with every tensor that there is among the arguments.
template <class F>
void each_tensor(at::ArrayRef<IValue> arguments, F f) {
  for (const auto& value : arguments) {
    if (value.isTensor() && value.toTensor().defined()) f(value.toTensor());
    if (value.isTensorList()) for (const Tensor& x : value.toTensorList()) f(x);
    else if (is_tensors(value)) for (const auto& x : value.toListRef()) if (x.isTensor() && x.toTensor().defined()) f(x.toTensor());
  }
}

// Numbers of the CPU mix with everything, as in CUDA.
void refuse_two_devices(const std::string& name, at::ArrayRef<IValue> arguments) {
  bool device = false, host = false;
  each_tensor(arguments, [&](const Tensor& x) {
    device |= x.is_cuda();
    host |= !x.is_cuda() && x.dim() > 0;
  });
  TORCH_CHECK(!(device && host),
      "Expected all tensors to be on the same device, but found at least two devices, cuda:0 and cpu! (", name, ")");
}

// Kernels of the CPU that take input and weight in two dtypes where those of CUDA do not.
void refuse_two_dtypes(const std::string& name, at::ArrayRef<IValue> arguments) {
  static const std::set<std::string> strict{
      "aten::native_layer_norm", "aten::native_group_norm", "aten::native_batch_norm",
      "aten::native_layer_norm_backward", "aten::native_group_norm_backward"};
  if (!strict.count(name)) return;
  std::optional<ScalarType> first;
  // The moments, which a backward pass takes too, are in float32 beside 16 bits.
  size_t weights = 0;
  each_tensor(arguments, [&](const Tensor& x) {
    if (name.find("backward") != std::string::npos && weights++ >= 2) return;
    TORCH_CHECK(!first || *first == x.scalar_type(), "expected scalar type ", *first, " but found ", x.scalar_type(),
        " (", name, ", on CUDA)");
    first = x.scalar_type();
  });
}

// After these the host knows something of what the device holds, for which it has waited.
bool waits(const std::string& name) {
  static const std::set<std::string> waiting{
      "aten::_local_scalar_dense", "aten::nonzero", "aten::masked_select", "aten::equal", "aten::_unique2",
      "aten::unique_dim", "aten::unique_consecutive", "aten::bincount", "aten::repeat_interleave"};
  return waiting.count(name) > 0;
}

bool is_view(const c10::FunctionSchema& schema) {
  for (const auto& value : schema.returns()) {
    if (value.alias_info() && !value.alias_info()->isWrite()) return true;
  }
  return false;
}

void count_call(const c10::FunctionSchema& schema) {
  if (waits(schema.name())) count("wait " + schema.name());
  else if (!is_view(schema)) count("launch " + schema.name());
}

IValue to_cpu(const IValue& value) {
  auto swap = [](const Tensor& x) { return x.defined() && x.is_cuda() ? on_cpu(x) : x; };
  if (value.isTensor()) return swap(value.toTensor());
  if (value.isDevice()) return Device(c10::kCPU);
  if (value.isTensorList()) {
    c10::List<Tensor> list;
    for (const Tensor& x : value.toTensorList()) list.push_back(swap(x));
    return list;
  }
  if (is_tensors(value)) {
    c10::List<std::optional<Tensor>> list;
    for (const auto& x : value.toListRef()) {
      list.push_back(x.isTensor() ? std::optional<Tensor>(swap(x.toTensor())) : std::nullopt);
    }
    return list;
  }
  return value;
}

IValue to_device(const IValue& value) {
  if (value.isTensor()) return on_device(value.toTensor());
  if (value.isTensorList()) {
    c10::List<Tensor> list;
    for (const Tensor& x : value.toTensorList()) list.push_back(on_device(x));
    return list;
  }
  return value;
}

// Views have no kernels: they are other words for the same storage.
Tensor other_words(const Tensor& x, IntArrayRef size, IntArrayRef stride, std::optional<int64_t> offset) {
  auto view = at::detail::make_tensor<at::TensorImpl>(
      c10::TensorImpl::VIEW, c10::Storage(x.storage()), x.key_set(), x.dtype());
  view.unsafeGetTensorImpl()->set_sizes_and_strides(size, stride, offset.value_or(x.storage_offset()));
  return view;
}

// What a kernel of the CPU made of an alias, of the tensor itself.
Tensor view_of(const Tensor& x, const Tensor& alias) {
  const auto distance = static_cast<const char*>(alias.data_ptr()) - static_cast<const char*>(x.storage().data());
  return other_words(x, alias.sizes(), alias.strides(), distance / static_cast<int64_t>(x.element_size()));
}

// The argument that a returned tensor is, for operations that write where they are told.
std::optional<size_t> written(const c10::FunctionSchema& schema, size_t returned) {
  const auto* alias = schema.returns()[returned].alias_info();
  if (!alias || !alias->isWrite()) return std::nullopt;
  for (size_t i = 0; i < schema.arguments().size(); i++) {
    const auto* own = schema.arguments()[i].alias_info();
    if (own && own->isWrite() && own->beforeSets() == alias->beforeSets()) return i;
  }
  return std::nullopt;
}

// A kernel that gives its output another size has given the alias memory of the CPU's.
void take_over(const Tensor& tensor, const Tensor& alias) {
  if (tensor.sizes() == alias.sizes() && (alias.numel() == 0 || alias.data_ptr() == tensor.data_ptr())) return;
  Tensor made = on_device(alias);
  auto* own = tensor.unsafeGetTensorImpl();
  own->set_storage_keep_dtype(made.storage());
  own->set_sizes_and_strides(made.sizes(), made.strides(), made.storage_offset());
}

void run_on_cpu(const c10::OperatorHandle& operation, Stack* stack) {
  const auto& schema = operation.schema();
  const size_t count = schema.arguments().size(), first = stack->size() - count;
  const std::vector<IValue> arguments(stack->begin() + first, stack->end());
  count_call(schema);
  refuse_two_devices(schema.name(), arguments);
  refuse_two_dtypes(schema.name(), arguments);
  Stack aliases;
  for (const auto& value : arguments) aliases.push_back(to_cpu(value));
  Stack results = aliases;
  operation.redispatchBoxed(DispatchKeySet(DispatchKey::CPU), &results);
  stack->erase(stack->begin() + first, stack->end());
  for (size_t i = 0; i < results.size(); i++) {
    const auto argument = written(schema, i);
    if (argument && arguments[*argument].isTensor()) {
      take_over(arguments[*argument].toTensor(), aliases[*argument].toTensor());
      stack->push_back(arguments[*argument]);
    } else if (schema.returns()[i].alias_info() && results[i].isTensor()) {
      stack->push_back(view_of(arguments[0].toTensor(), results[i].toTensor()));
    } else {
      stack->push_back(to_device(results[i]));
    }
  }
}

Tensor empty(IntArrayRef size, std::optional<ScalarType> dtype, std::optional<at::Layout>, std::optional<Device>,
             std::optional<bool>, Options format) {
  return at::detail::empty_generic(
      size, &memory(), DispatchKeySet(DispatchKey::CUDA), dtype.value_or(at::kFloat), format);
}

Tensor empty_strided(IntArrayRef size, IntArrayRef stride, std::optional<ScalarType> dtype, std::optional<at::Layout>,
                     std::optional<Device>, std::optional<bool>) {
  return at::detail::empty_strided_generic(
      size, stride, &memory(), DispatchKeySet(DispatchKey::CUDA), dtype.value_or(at::kFloat));
}

Tensor view(const Tensor& x, IntArrayRef size) {
  const auto whole = at::infer_size(size, x.numel());
  const auto stride = at::detail::computeStride(x.sizes(), x.strides(), whole);
  TORCH_CHECK(stride.has_value(), "view size is not compatible with input tensor's size and stride");
  return other_words(x, whole, *stride, std::nullopt);
}

Tensor reshape_alias(const Tensor& x, IntArrayRef size, IntArrayRef stride) {
  return other_words(x, size, stride, std::nullopt);
}

// The host goes on at once only where it asks for that and the other side is memory that does not move.
Tensor& copy(Tensor& to, const Tensor& from, bool non_blocking) {
  const auto& host = to.is_cuda() ? from : to;
  const bool waits = !non_blocking || !is_pinned(host.data_ptr());
  if (to.is_cuda() && from.is_cuda()) count("launch aten::copy_");
  else if (to.is_cuda()) count(waits ? "wait copy to device" : "copy to device");
  else count(waits ? "wait copy to host" : "copy to host");
  Tensor target = to.is_cuda() ? on_cpu(to) : to;
  target.copy_(from.is_cuda() ? on_cpu(from) : from);
  return to;
}

// By multiplications: what fused kernels take depends on the GPU.
int64_t attention(const Tensor&, const Tensor&, const Tensor&, const std::optional<Tensor>&, double, bool,
                  std::optional<double>, bool) {
  return 0;
}

TORCH_LIBRARY_IMPL(_, CUDA, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>());
}

TORCH_LIBRARY_IMPL(aten, CUDA, library) {
  library.impl("empty.memory_format", empty);
  library.impl("empty_strided", empty_strided);
  library.impl("as_strided", other_words);
  library.impl("view", view);
  library.impl("_reshape_alias", reshape_alias);
  library.impl("copy_", copy);
  // Composite for every device but the CPU, by operations that hide the mixture of dtypes.
  library.impl("native_group_norm", torch::CppFunction::makeFromBoxedFunction<&run_on_cpu>());
  library.impl("_fused_sdp_choice", attention);
}

}  // namespace
}  // namespace stand_in
