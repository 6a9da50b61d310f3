import { CloudflareAdapterError } from './errors.ts'

const FLAG = 'global_fetch_strictly_public'
const PORTS = 'allow_custom_ports'

/**
 * Refuses to run without the flag that sends requests for names of the Worker's own zone through the front door.
 * Without it a customer's URL in that zone reaches the origin behind Cloudflare, past everything that guards it. And without the one that keeps the port of a URL, by which a delivery to
 * another port than 443 would go to whatever listens there.
 *
 * @param runtime what workerd says of itself; where it says nothing of its flags, nothing can be asked
 */
export function checkFlags(runtime: unknown = Reflect.get(globalThis, 'Cloudflare')): void {
  const flags: unknown = Reflect.get(Object(runtime), 'compatibilityFlags')
  if (typeof flags !== 'object' || flags === null) return
  if (Reflect.get(flags, FLAG) !== true) {
    throw new CloudflareAdapterError(
      'missing_flag',
      `the compatibility flag ${FLAG} is not set: add it to compatibility_flags in wrangler.jsonc. Without it an endpoint's URL in your own zone reaches the origin behind Cloudflare`,
    )
  }
  // It is on by default since a compatibility date, and says so; where it says nothing, the platform has no such choice.
  if (Reflect.get(flags, PORTS) === false) {
    throw new CloudflareAdapterError(
      'missing_flag',
      `the compatibility flag ${PORTS} is off, by ignore_custom_ports or by a compatibility_date before 2024-09-02: take the first out of wrangler.jsonc, or raise the second. Without it a delivery to https://host:8443 goes to port 443`,
    )
  }
}
