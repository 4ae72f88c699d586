# One commit back.
configure
rollback 1
commit comment "back to 8443"
