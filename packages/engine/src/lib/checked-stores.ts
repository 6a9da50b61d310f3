import type { DeliveryReads } from './deliveries.ts'
import type { EndpointStore } from './endpoint-store.ts'
import { checkOptions } from './option-names.ts'

/** The store, with the names of a rotation's options checked before anything else. */
export function checkedEndpoints(store: EndpointStore): EndpointStore {
  return {
    ...store,
    async rotateSecret(workspaceId, id, options = {}) {
      checkOptions('endpoints.rotateSecret', options)
      return store.rotateSecret(workspaceId, id, options)
    },
  }
}

/** The reads, with the names of a replay's filter checked first: a filter that is misspelt would send too much again. */
export function checkedDeliveries(reads: DeliveryReads): DeliveryReads {
  return {
    ...reads,
    async replayOf(workspaceId, filter, options = {}) {
      checkOptions('the filter of deliveries.replayOf', filter)
      checkOptions('deliveries.replayOf', options)
      return reads.replayOf(workspaceId, filter, options)
    },
  }
}
