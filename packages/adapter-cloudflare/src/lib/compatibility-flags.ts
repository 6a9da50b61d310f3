import { CloudflareAdapterError } from './errors.ts'

const FLAG = 'global_fetch_strictly_public'
const PORTS = 'allow_custom_ports'

/**
 * Refuses to run without two compatibility flags. Without `global_fetch_strictly_public`, a customer's URL in the Worker's own
 * zone reaches the origin behind Cloudflare, bypassing its protection. Without `allow_custom_ports`, a delivery to any port
 * goes to port 443.
 *
 * @param runtime workerd's description of itself; without flags in it, nothing is checked
 * @throws {CloudflareAdapterError} `missing_flag`
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
  // On by default since a compatibility date. If it is not reported, the platform has no such option.
  if (Reflect.get(flags, PORTS) === false) {
    throw new CloudflareAdapterError(
      'missing_flag',
      `the compatibility flag ${PORTS} is off, by ignore_custom_ports or by a compatibility_date before 2024-09-02: remove the first from wrangler.jsonc, or raise the second. Without it a delivery to https://host:8443 goes to port 443`,
    )
  }
}
