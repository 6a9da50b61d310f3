import { createApiKeys } from './access/api-key.ts'
import type { IdempotentApiKeys } from './access/api-keys.ts'
import type { ActionDeps } from './audit/action.ts'
import type { Limits } from './limits.ts'
import { createPortalLinks } from './portal-links/portal-link-store.ts'
import type { PortalLinks } from './portal-links/portal-links.ts'
import { createPepper } from './secrets/pepper.ts'
import type { SecretStore } from './secrets/secret-store.ts'

/** The parts of an engine that let people and programs in. Both hash their secrets under one pepper. */
export function createAccessStores(
  deps: ActionDeps & { limits: Pick<Limits, 'apiKeysPerWorkspace' | 'portalLinksPerWorkspace'> },
  secrets: SecretStore,
): { apiKeys: IdempotentApiKeys; portalLinks: PortalLinks } {
  const pepper = createPepper(deps.db, secrets)
  return { apiKeys: createApiKeys(deps, pepper), portalLinks: createPortalLinks(deps, pepper) }
}
