"""Whether everybody can read and use the page of examples/chat: contrast, names and roles, sizes."""

from devtools import check, quiet, same

# Every text that can be seen, with its contrast as WCAG 2.2 has it, and what it should be.
CONTRAST = """
(() => {
  const parse = color => color.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => rgb.slice(0, 3)
    .map(part => part / 255)
    .map(part => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
    .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color[3] === undefined || color[3] === 1) return color;
      if (color[3] > 0) throw new Error("half transparent");
    }
    throw new Error("no background");
  };
  const ratio = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    const box = element.getBoundingClientRect();
    if (!box.width || !box.height) continue;
    const style = getComputedStyle(element);
    const about = element.id || element.className || element.localName;
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    if (own) found.push([about, ratio(parse(style.color), behind(element)), 4.5]);
    if (element.matches("input")) {
      found.push([about, ratio(parse(style.color), behind(element)), 4.5]);
      const hint = getComputedStyle(element, "::placeholder");
      found.push([about + " hint", ratio(parse(hint.color), behind(element)), 4.5]);
      found.push([about + " border", ratio(parse(style.borderTopColor), behind(element)), 3]);
    }
    if (element.matches("button:enabled")) {
      const [border, around] = [parse(style.borderTopColor), behind(element.parentElement)];
      found.push([about + " border", ratio(border, around), 3]);
    }
  }
  return found;
})()
"""


def can_be_read_by_all(window):
    has_contrast(window)
    is_known_to_assistive_technology(window)
    keeps_still_for_those_who_want_it(window)
    fits(window)
    quiet(window)


def has_contrast(window):
    """WCAG 2.2, level AA, in both schemes and in all states."""
    worst = {}
    for scheme in ("light", "dark"):
        window.prefer(color_scheme=scheme, reduced_motion="reduce")
        for state in ("open", "waiting", "connecting", "closing", "closed"):
            show(window, state, "a problem")
            for about, ratio, least in window.evaluate(CONTRAST):
                check(ratio >= least, f"{about}, {scheme}, {state}: {ratio:.2f} is less than {least}")
                key = (scheme, least)
                worst[key] = min(worst.get(key, (ratio, about)), (ratio, about))
    for (scheme, least), (ratio, about) in worst.items():
        print(f"   least contrast, {scheme}, of those that need {least}: {ratio:.2f} ({about})")
    show(window, "open", "")
    window.prefer()


def is_known_to_assistive_technology(window):
    nodes = window.command("Accessibility.getFullAXTree")["nodes"]
    known = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    for role, name in known:
        if role in ("button", "textbox", "log", "region", "group", "heading"):
            check(name, f"{role} without a name")
    for expected in (
        ("button", "Disconnect"),
        ("log", "Messages"),
        ("textbox", "Message"),
        ("button", "Send"),
        ("group", "Binary message"),
        ("textbox", "Bytes in hex"),
        ("region", "Connection"),
    ):
        check(expected in known, f"{expected} is not known: {known}")
    roles = {role for role, _ in known}
    check({"status", "alert", "log", "main", "banner"} <= roles, f"roles: {sorted(roles)}")


def keeps_still_for_those_who_want_it(window):
    show(window, "waiting", "")
    name = "getComputedStyle(document.querySelector('#state'), '::before').animationName"
    window.prefer(reduced_motion="reduce")
    same(window.evaluate(name), "none", "animation")
    window.prefer(reduced_motion="no-preference")
    same(window.evaluate(name), "breathe", "animation")
    window.prefer()
    show(window, "open", "")


def fits(window):
    """Without scrolling sideways, and large enough for fingers."""
    for width in (320, 360, 768, 1280):
        window.size(width, 740)
        wide = window.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        check(wide[0] <= wide[1], f"scrolls sideways at {width} px: {wide}")
        small = window.evaluate("""
            [...document.querySelectorAll("button, input")].map(one => one.getBoundingClientRect())
                .filter(box => box.height < 44 || box.width < 44).length
        """)
        same(small, 0, f"targets below 44 px at {width} px")
    window.size(1280, 800)


def show(window, state, problem):
    """Looks like this state, without being in it."""
    window.evaluate(f"document.querySelector('#state').dataset.state = '{state}'")
    window.evaluate(f"document.querySelector('#problem').textContent = '{problem}'")
