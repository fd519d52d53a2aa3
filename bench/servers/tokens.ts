import { type AccessClaims, signAccessToken } from '../../lib/auth/tokens.js'
import { answerParent } from '../worker.js'

const LIFE_SECONDS = 24 * 60 * 60

/** Signs what a session's requests carry, with the secret of this process's environment. */
async function sign(claims: AccessClaims): Promise<string> {
  return signAccessToken(claims, LIFE_SECONDS, new Date())
}

const methods = { sign }
export type TokensMethods = typeof methods
answerParent(methods)
