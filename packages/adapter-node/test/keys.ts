import { createKeyRing } from '@keepsend/engine'

/** One for all processes of a test: who makes an endpoint is not who delivers to it. */
export const TEST_KEYS = createKeyRing('test:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=')
