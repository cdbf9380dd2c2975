//! SIPp, which knows nothing of this program, as call control and gateways around two real processes of the pair.

#[path = "sipp/calls.rs"]
mod calls;
#[path = "sipp/network.rs"]
mod network;
#[path = "sipp/node.rs"]
mod node;
#[path = "sipp/tool.rs"]
mod tool;
