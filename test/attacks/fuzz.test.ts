import { declaredVerbs } from '../support/declared-routes.js'
import { fuzz } from './fuzz.js'

fuzz(declaredVerbs, 2_000)
