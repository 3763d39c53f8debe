// SPDX-License-Identifier: Apache-2.0
#include "config/settings.hpp"
#include "fabric/commands.hpp"
#include "fabric/output.hpp"
#include "fabric/session.hpp"
#include "fabric/table.hpp"
#include "fabric/text.hpp"

namespace fabric::cmd {
namespace {

using config::EffectiveValue;

constexpr auto k_fields = std::to_array<JsonField<EffectiveValue>>({
    {"key", "Its name, with dots between tables.",
     [](json::Writer& w, const EffectiveValue& v) { w.string(v.key); }},
    {"value", "The value in force, as TOML.",
     [](json::Writer& w, const EffectiveValue& v) { w.string(v.value); }},
    {"origin", "file:line:column, or default.",
     [](json::Writer& w, const EffectiveValue& v) { w.string(v.origin); }},
});
JsonShape config_show_shape() { return shape_of<k_fields>(); }

Result<int> run(const Arguments& arguments) {
  const JsonChoice choice = TRY(JsonChoice::from(arguments));
  const config::Workspace workspace = TRY(workspace_of(arguments));
  const std::vector<EffectiveValue> values = TRY(config::show(workspace, arguments.positional(0)));
  if (choice.wanted()) {
    std::vector<std::string> elements;
    for (const EffectiveValue& value : values) elements.push_back(choice.object(k_fields, value));
    TRY_STATUS(print(json_array(elements)));
    return 0;
  }
  std::string text;
  if (arguments.has("--origin")) {
    Table table({{"KEY"}, {"VALUE", Align::left, 10}, {"ORIGIN", Align::left, 20}});
    for (const EffectiveValue& value : values) table.add({value.key, value.value, value.origin});
    text = table.to_text(terminal_width());
  } else {
    for (const EffectiveValue& value : values)
      text += printable(value.key) + " = " + printable(value.value) + "\n";
  }
  TRY_STATUS(print(text));
  return 0;
}

constexpr Positional k_positionals[] = {
    {"AGENT", "Show the values of this agent's definition too.", Complete::agent, {}, false}};
constexpr Option k_options[] = {
    {"--origin", "", "", "Say which file and line each value comes from.", Takes::nothing}};
constexpr Example k_examples[] = {
    {"fabric config show --origin", "Every setting, and where it was made."},
    {"fabric config show coder", "The settings with those of one agent."}};

}  // namespace

const Command k_config_show_command{"config show",
                                    Group::maintenance,
                                    "show the settings in force",
                                    "Settings are layered: /etc/fabric/fabric.toml, tenant.toml, "
                                    "fabric.toml, agents/ID/agent.toml, "
                                    "then command-line options; a later one wins, value by value. "
                                    "With --json: an array of objects.",
                                    k_positionals,
                                    k_options,
                                    {},
                                    k_examples,
                                    config_show_shape,
                                    run};

}  // namespace fabric::cmd
