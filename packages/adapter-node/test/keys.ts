import { createKeyRing } from '@keepsend/engine'

/** One key for all processes of a test: one creates an endpoint and another delivers to it. */
export const TEST_KEYS = createKeyRing('test:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=')
